// Package counts counts why annotations were not learned, and what became of suggestions,
// as a function of what is stored.
package counts
