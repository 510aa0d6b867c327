// Package shares estimates how common labels are among all tasks of a project, from those that were drawn with known
// odds (evaluate/odds; Zrnic & Candès 2024, "Active statistical inference", arXiv 2403.03208).
package shares
