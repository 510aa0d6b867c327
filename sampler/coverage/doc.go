// Package coverage picks points that cover a pool where a model is unsure of it: uncertainty
// herding (Bae, Oliveira & Sutherland, "Uncertainty Herding: One Active Learning Method for All
// Label Budgets", ICLR 2025, arXiv 2412.20644). A Space holds the cosines within a bounded sample
// of the pool; Greedy picks from it what most raises the coverage of the sample by a kernel, each
// point weighted by its uncertainty, what is labelled covering already; Typical picks the first
// points, of which no model knows anything.
//
// Sums are of integers, so a result does not depend on the order in which points came. The
// package knows no tasks and imports nothing of hone but internal/parallel.
package coverage
