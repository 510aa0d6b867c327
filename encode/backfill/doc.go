// Package backfill has a slow encoder compute the vectors that models read, in the background,
// each once, and stores them.
//
// # Terms
//
// A request names the vector of a text, or the vectors of its tokens. A task is missing when a
// request of it has no vector. An arrival is a task whose vectors have come and that its
// project's models have not learned yet. A scan compares a task's requests with the vectors
// there are. Garbage is a stored vector that no task needs.
//
// # Order of work
//
// Label names and labelled texts come first, then the tasks that are asked next, then the rest.
// Projects with work of the same kind take turns. After a failure the encoder, or the project
// whose tasks cannot be read, is left alone for a growing pause; other projects go on.
//
// # What must hold
//
// In the end each task has all its vectors, whatever happened before: what is stored is compared
// with what is needed, so a crash costs only vectors that were not flushed. A vector whose read
// fails stays stored. One that is damaged is computed again. An arrival is handed to Consume
// until that succeeds, by one goroutine for each project, so that a busy project keeps neither
// the encoder nor other projects waiting.
//
// The package knows neither who learns nor who ranks: Options.Needed, Options.Consume and
// Options.Next are all it calls of them.
//
// # Locks
//
// Service.mu guards the queues. It is held for moments, never during disk access, encoding or
// a call of the functions in Options other than Next and Metrics.Unencoded. While it is held,
// the locks of Service.life and of the vector cache may be taken.
package backfill
