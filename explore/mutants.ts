/** Known bugs that two branches and two coordinators, or three contenders, are enough to show. Each must be caught in the coarse bounds. */
export interface LawMutant {
  readonly name: string
  /** Of the smoke bounds. */
  readonly scenario: string
  readonly bug: string
}

export const mutants: readonly LawMutant[] = [
  { name: 'M01-no-barrier-row', scenario: 'saga', bug: 'no barrier row' },
  { name: 'M02-no-tombstone', scenario: 'saga', bug: 'a compensation leaves no tombstone' },
  { name: 'M02-no-tombstone', scenario: 'tcc', bug: 'a cancel leaves no tombstone' },
  { name: 'M04-unknown-is-refused', scenario: 'saga-plain', bug: 'an unknown answer is treated as refused' },
  { name: 'M08-check-without-tombstone', scenario: 'message', bug: '"not found" means rollback, and nothing is left' },
  { name: 'M12-write-without-epoch', scenario: 'saga', bug: 'a write without the condition on the epoch' },
  { name: 'L1-reverse-before-durable', scenario: 'saga', bug: 'a compensation before rolling-back is durable' },
  { name: 'L1-reverse-before-durable', scenario: 'tcc', bug: 'a confirm or cancel before the decision is durable' },
  { name: 'L1-reverse-before-durable', scenario: 'message', bug: 'a delivery before the decision is durable' },
  { name: 'L3-forward-after-reverse-done', scenario: 'saga', bug: 'a repeat after its reversal is answered done' },
  { name: 'L3-reverse-overtakes-action', scenario: 'saga-plain', bug: 'no quiet before a plain step is reversed' },
  { name: 'L4-run-ahead-is-forgotten', scenario: 'saga', bug: 'a takeover forgets the step that may have run ahead' },
  { name: 'L4-second-takeover-forgets', scenario: 'saga', bug: 'a takeover forgets what is in doubt already' },
  { name: 'L4-refused-after-doubt-is-clear', scenario: 'saga', bug: 'a refusal clears an earlier unknown attempt' },
  { name: 'L5-claim-keeps-epoch', scenario: 'tcc', bug: 'a claim keeps the epoch' },
  { name: 'L8-registered-after-decision', scenario: 'tcc', bug: 'a registration slips past the decision' },
  { name: 'L9-takeover-waits-for-the-dead', scenario: 'tcc', bug: 'a takeover waits for the call of the dead owner' },
  { name: 'L9-takeover-waits-for-the-dead', scenario: 'message', bug: 'the same' },
  { name: 'T1-commit-flips-a-rollback', scenario: 'tcc', bug: 'a late commit flips a rollback' },
  { name: 'T2-refused-second-phase-is-done', scenario: 'tcc-defective', bug: 'a refused confirm counts as done' },
  { name: 'T3-caught-failure-commits', scenario: 'tcc', bug: 'an initiator commits although a try was refused' },
  { name: 'T5-try-before-registration', scenario: 'tcc', bug: 'a try before its registration is durable' },
  { name: 'P1-rollback-on-own-belief', scenario: 'message', bug: 'a producer rolls back because it believes so' },
  { name: 'P2-any-answer-commits', scenario: 'message', bug: 'any 200 to a check-back commits' },
  { name: 'P3-silence-rolls-back', scenario: 'message', bug: 'a check-back without an answer rolls back' },
  { name: 'P6-commit-before-local', scenario: 'message', bug: 'a commit before the local transaction' },
  { name: 'W1-no-validity-check', scenario: 'redlock', bug: 'a lease that is granted after its validity' },
  { name: 'W2-no-write-back', scenario: 'redlock', bug: 'a token that is not written back to a majority' },
  { name: 'W3-write-back-without-counter-test', scenario: 'redlock', bug: 'a write-back over a larger counter' },
  { name: 'E1-counters-die-with-their-node', scenario: 'redlock', bug: 'a node that comes back without its data' },
  { name: 'M15-not-checked-after-the-wait', scenario: 'queue', bug: 'a waiter that takes a grant for its own unasked' },
  { name: 'M16-release-without-owner-compare', scenario: 'queue', bug: 'a release that does not compare the owner' },
  { name: 'E2-grants-to-the-late', scenario: 'queue', bug: 'a hand-over to a waiter whose time is over' },
  { name: 'E3-granted-stays-a-waiter', scenario: 'queue', bug: 'a hand-over that leaves its entry behind' },
  { name: 'E4-grant-is-not-passed-on', scenario: 'queue', bug: 'a hand-over to one whom no message reaches' },
  { name: 'E5-newcomer-overtakes', scenario: 'queue', bug: 'a free name goes to whoever comes, though others wait' },
  {
    name: 'E6-token-follows-the-clock',
    scenario: 'queue',
    bug: 'a token that is not counted when the clock goes back',
  },
  {
    name: 'E8-leftovers-are-believed',
    scenario: 'queue-shared',
    bug: 'an entry that outlives its list is taken for a place',
  },
  {
    name: 'E7-confirms-what-it-heard',
    scenario: 'queue',
    bug: 'a message of an earlier grant gives a later one its token',
  },
]

/** Those that cannot show here, and why. */
export const outOfScope: Readonly<Record<string, string>> = {
  'M13-lease-by-local-clock': 'leases have no clock here: every owner may be taken over at any time as it is',
  'L2-id-accepted-after-retention': 'there is one transaction, and no retention',
  'L6-merge-keeps-last-compare': 'the journal is not part of the model: a copy has one write out, and one behind it',
  'L6-merge-forgets-the-first': 'the same',
  'L7-unknown-commit-is-read': 'the same, and what callers are told meanwhile is no part of a state',
  'L8-merge-forgets-a-branch': 'the same',
  'L8-decision-forgets-a-branch':
    'a decision by the other instance is one move: the compare of its version is the store’s',
  'L9-dead-endpoint-spends-limit': 'counts are forgotten, and no step has a limit',
  'L10-old-compensation-done': 'nothing comes to the age of the barrier’s memory',
  'L10-old-work-goes-on': 'the same',
  'L11-claims-what-it-cannot-call': 'both instances can call everything',
  'T4-confirm-without-try': 'needs a second bug: nobody commits here before every try was answered',
  'P4-takeover-forgets-escalations': 'a refused delivery is held here, and told to nobody',
  'P5-takeover-forgets-delays': 'deliveries have no delay',
  'M13-lease-by-wall-clock': 'locks have no clock here: what time ends is a move of its own',
  'M14-resource-ignores-the-token': 'what a lock guards is not part of the model, only the order of tokens is',
  'W4-renewal-from-reply-time': 'the same as M13, and leases are not renewed',
  'W5-no-startup-grace': 'E1 is what the grace is against: a node that forgets breaks the order whenever it counts',
}
