// Package tune chooses the settings of a head by cross-validation: it says which settings
// are tried, from how many examples, and which are best. The choice is a function of the
// head's spec and of the examples.
package tune
