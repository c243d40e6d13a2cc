export function largestToken(tokens: readonly bigint[]): bigint {
  let largest = 0n
  for (const token of tokens) if (token > largest) largest = token
  return largest
}
