// Package model holds the learning algorithms, one file each with its paper.
// A Model keeps every example and is the unique optimum of a convex problem
// over exactly those: what was removed or replaced leaves nothing behind, and
// the order of things does not matter.
package model
