// Package learner turns what people annotate into models. It applies the events
// of the Changes log in order, keeps one head (an online model) for every
// control it can learn, and publishes snapshots that Predict and Estimates
// read without waiting for it.
//
// A model is a function of the labels and of the live version's settings, not
// of how the labels came about: see Must always hold, 2.
package learner
