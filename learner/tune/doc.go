// Package tune chooses the settings of a head: what is worth trying, from how many
// examples, and what is best by cross-validation. What it chooses is a function of the
// head's spec and of the examples.
package tune
