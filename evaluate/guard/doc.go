// Package guard keeps a strategy from losing to random. Of the answers to tasks that were drawn at random,
// the only sample without bias, and of as many to tasks that the strategy asked for, two models
// are made; both predict each later random answer before they learn it. When a confidence
// sequence of the paired difference says that the strategy is worse, it is left for random.
package guard
