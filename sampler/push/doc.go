// Package push keeps the predictions that Label Studio holds equal to a queue.
//
// Label Studio asks about the task first whose prediction under the project's model
// version has the lowest score. So a queue is written as predictions of the live
// version whose scores rise from the front. The scores lie in (0, 0.01) and mean
// nothing but order. Everything else that hone answers has a score of at least 0.01,
// so a prediction that somebody retrieved never gets in front of the queue.
//
// Writing is slow in Label Studio, so only differences are written, the front of the
// queue first, and a newer queue ends the writing of an older one. What Label Studio
// holds is listed once and checked from then on.
package push
