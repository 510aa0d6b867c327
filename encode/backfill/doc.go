// Package backfill has a slow encoder make the vectors that models read, in the
// background: first those of label names and labelled texts, then of what is asked next,
// then of all the rest. Each is made once and stored. Projects with work of the same kind
// take turns, and the trouble of one keeps no other waiting.
//
// It knows neither who learns nor who ranks. What is needed, what has come and what is
// asked next are three functions in its Options.
//
// Locks: Service.mu is held for moments, never over the disk, the encoder or a call of
// those functions but Next. Under it Service.life and the vectors' lock may be taken.
package backfill
