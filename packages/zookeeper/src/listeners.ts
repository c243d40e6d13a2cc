/**
 * Tells everybody, in order and at once. A listener that throws does not keep the others from hearing it, nor stop the
 * connection that was being read; its error surfaces on its own, as from any event.
 */
export function tell<Event>(listeners: Iterable<(event: Event) => void>, event: Event): void {
  for (const listener of [...listeners]) {
    try {
      listener(event)
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
  }
}
