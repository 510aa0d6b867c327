// Package draw draws one of several things with probabilities that are known, so that what is drawn tells
// of all of them (probability sampling; Horvitz & Thompson 1952). What gains more is drawn more often
// (stochastic acquisition by powers of the scores; Kirsch, Farquhar, Atighehchian, Jesson, Branchaud-Charron
// & Gal 2021, "Stochastic Batch Acquisition", arXiv 2106.12059), and each with some probability (active
// inference; Zrnic & Candès 2024, arXiv 2403.03208).
//
// A draw is a function of a seed and its number. The package knows no tasks and imports nothing of hone.
package draw
