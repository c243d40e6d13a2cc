/** A turn is put off for no longer than this, whoever should have come before. */
const delayMaxMs = 50

/**
 * Who asks first when a name is released. All who wait are told at the same moment, and if all asked at once they would split the votes, and
 * keep the masters busy with vain asks in the way of the winner's. So each counts the releases that it has heard of while it waits: who
 * has heard of as many as there are other processes asks at once, and the others later, the further they are from that. A turn that nobody
 * takes, since who had it is gone, costs the next one a short delay.
 *
 * It is a courtesy: what is granted, and to whom, the votes alone decide.
 */
export class Turns {
  /** Processes that wait as well, as the masters have counted them when this one last released it. */
  others = 0

  /** Full jitter within the place in the line, each of which is `placeMs` long; `fraction` is from 0 to 1. */
  delayMs(heard: number, placeMs: number, fraction: number): number {
    const place = this.others - heard
    return place <= 0 ? 0 : Math.min(delayMaxMs, (place - 1 + fraction) * placeMs)
  }
}
