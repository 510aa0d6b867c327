// Package model holds the learning algorithms: classification (Model) and regression
// (Regression). Each is a convex problem that coordinate ascent solves in its dual.
//
// A model keeps every example. Its optimum is a function of the examples and of the
// settings: removed and replaced examples leave nothing behind, and their order does not
// matter. Models are for one goroutine; their views are immutable and for any number.
package model
