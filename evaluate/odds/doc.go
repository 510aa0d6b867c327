// Package odds estimates means over all tasks from tasks that were drawn one after the other, each with
// a known probability among those neither labelled nor drawn (active inference: Zrnic & Candès 2024,
// arXiv 2403.03208; active testing: Farquhar, Gal & Rainforth 2021, "On statistical bias in active learning",
// ICLR; Kossen, Farquhar, Gal & Rainforth 2021). What is estimated is a property of the tasks, and only the draws are random: nothing
// is assumed of the model whose guesses help, nor of what the draws were made by.
//
// The package does no I/O and keeps nothing.
package odds
