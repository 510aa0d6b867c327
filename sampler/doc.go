// Package sampler decides which tasks are asked about next.
//
// Of every project it holds the pool: the tasks nobody has labelled. After each new
// snapshot a worker, one goroutine a project, scores the pool with a strategy, takes
// the most uncertain tasks and a steady share of random ones as the queue, and has
// the package push write it to Label Studio. What is heard meanwhile waits in the
// worker's inbox, as one; a push looks there between any two writes and makes way.
package sampler
