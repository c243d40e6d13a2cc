/** In production a fail point is nothing: this module is what `#failpoint` means without the test condition. */
export function failpoint(_name: string): void | Promise<void> {}
