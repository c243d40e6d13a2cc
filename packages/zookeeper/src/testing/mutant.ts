/**
 * In production no known bug can be switched on: this module is what `#mutant` means without the test condition. With it, the switch is the
 * one of `lockstep/testing`, so that one `armMutant` arms all packages.
 */
export function mutant(_name: string): boolean {
  return false
}
