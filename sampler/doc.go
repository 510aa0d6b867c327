// Package sampler decides which tasks are asked about next and keeps Label
// Studio's idea of that in step with its own.
//
// Of every project it holds the pool: the tasks nobody has labelled. After each
// new snapshot it scores the pool with a strategy, takes the most uncertain
// tasks and a steady share of random ones as the queue, and writes the queue to
// Label Studio as predictions of the live version whose scores carry the order:
// lowest is asked first. Writing is slow there, so only differences are
// written, the front of the queue first, and a newer queue replaces one that is
// still on its way.
//
// The scores it writes lie in (0, 0.01) and mean nothing but order. Everything
// else that hone answers has a score of at least 0.01, so a prediction that
// somebody retrieved never gets in front of the queue.
package sampler
