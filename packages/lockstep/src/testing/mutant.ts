/** In production no known bug can be switched on: this module is what `#mutant` means without the test condition. */
export function mutant(_name: string): boolean {
  return false
}
