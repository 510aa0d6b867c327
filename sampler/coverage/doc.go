// Package coverage picks points of a pool by how near they are to each other and to what is
// labelled. A Space holds the cosines within a bounded sample of the pool. From it Greedy picks
// what most raises the coverage of the sample by a kernel, each point weighted by its
// uncertainty, what is labelled covering already: uncertainty herding (Bae, Oliveira &
// Sutherland, "Uncertainty Herding: One Active Learning Method for All Label Budgets", ICLR 2025,
// arXiv 2412.20644). Typical picks points of which no model needs to know anything, Central those
// in the middle of clusters of unsure ones, Gradients those that would change a model most and
// each differently.
//
// Sums are of integers, so a result does not depend on the order in which points came. The
// package knows no tasks and imports nothing of hone but internal/parallel.
package coverage
