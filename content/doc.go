// Package content reads what a task's data shows to annotators: for each object tag of a
// label config its text, and the passage in which spans are marked. Equal texts have
// equal keys, under which their vectors are stored.
//
// The functions are pure: they open no connection, keep nothing, and any number of
// goroutines may call them. What cannot be read is an error whose sentence names the
// tag; data that lack a text wrap ErrNoText. None panics, whatever the data hold.
package content
