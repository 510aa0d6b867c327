// Package state is hone's memory on disk: one bbolt file that holds, for every
// project, the tasks, the annotations as Label Studio last stated them, the
// learner's checkpoint, versions and state, and how far a reconcile has read. How to
// reach Label Studio is in a small file of its own, so that a backup never holds a token.
//
// What is read from Label Studio (event.Reading) stands over everything heard
// before the reading began, in the order of the log: contents, times, deletions,
// title and label config (ADR 21). Without readings, what is stored is a function of
// the set of statements heard (event.Changed), not of their order, their batches, or
// how often they were heard:
//
//   - An annotation and a task's data are registers. The statement with the
//     greatest (updated_at, hash of the content, bytes) wins. Content is compared
//     as JSON values: spacing, the order of keys and the spelling of strings and
//     numbers do not matter.
//   - A deletion leaves a tombstone and wins over every statement, until a reading
//     finds the thing there, or two of them have confirmed that it is not.
//     Deletions of many things that nobody knows leave none.
//   - An annotation counts while neither it nor the task it was last stated on is
//     deleted. It may be heard of before its task.
//   - Title and label config go by when hone heard them, and so does Gone, which
//     only a reading or /setup may say.
//   - A project stated with another creation time belongs to another Label
//     Studio database. When a reading or /setup says so, what was stored under
//     the other is dropped; a webhook is a reason to ask.
//
// Only Meta.Missed depends on the order: it counts what a reconcile was the
// first to say.
package state
