/** The text format of Prometheus, version 0.0.4. */
export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8'

export interface MetricName {
  readonly name: string
  readonly help: string
}

type Labels<Label extends string> = Readonly<Record<Label, string>>

/** A number that only grows, one per set of labels. The labels' values are closed sets of words, so it stays small. */
export class Counter<Label extends string> {
  readonly #metric: MetricName
  readonly #values = new Map<string, number>()

  constructor(metric: MetricName) {
    this.#metric = metric
  }

  add(value: number, labels: Labels<Label>): void {
    const key = labelText(labels)
    this.#values.set(key, (this.#values.get(key) ?? 0) + value)
  }

  text(): string {
    const lines = [...this.#values].sort().map(([labels, value]) => `${this.#metric.name}{${labels}} ${value}`)
    return block('counter', this.#metric, lines)
  }
}

/** Numbers as they are now, one per value of one label. */
export function labelledText(metric: MetricName, label: string, values: ReadonlyMap<string, number>): string {
  const lines = [...values].sort().map(([value, count]) => `${metric.name}{${labelText({ [label]: value })}} ${count}`)
  return block('gauge', metric, lines)
}

/** A number that somebody else keeps, as it is now. */
export function currentText(type: 'counter' | 'gauge', metric: MetricName, value: number): string {
  return block(type, metric, [`${metric.name} ${value}`])
}

function block(type: 'counter' | 'gauge', { name, help }: MetricName, lines: readonly string[]): string {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n')
}

function labelText(labels: Labels<string>): string {
  return Object.entries(labels)
    .map(([label, value]) => `${label}="${escaped(value)}"`)
    .join(',')
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
