import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'

/** Reads the options of a program, or says what is wrong with them and ends it with exit code 2. */
export function readOptions<const Options extends ParseArgsOptionsConfig>(program: string, options: Options) {
  try {
    return parseArgs({ options }).values
  } catch (error) {
    return usage(program, options, error instanceof Error ? error.message : String(error))
  }
}

/** A number from the command line, within its bounds. */
export function numberOption(program: string, name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= min && value <= max) return value
  return usage(program, {}, `--${name} must be a number from ${min} to ${max}, not "${text}".`)
}

/** One of a few words. */
export function oneOf<Word extends string>(program: string, name: string, text: string, words: readonly Word[]): Word {
  const word = words.find((one) => one === text)
  return word ?? usage(program, {}, `--${name} must be one of ${words.join(', ')}, not "${text}".`)
}

function usage(program: string, options: ParseArgsOptionsConfig, problem: string): never {
  const known = Object.keys(options).map((name) => `--${name}`)
  console.error(`${program}: ${problem}`)
  if (known.length > 0) console.error(`Options: ${known.join(', ')}`)
  process.exit(2)
}
