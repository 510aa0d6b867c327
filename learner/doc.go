// Package learner turns annotations into models. It applies the events of the Changes log,
// keeps one model for each control that it can learn, and publishes snapshots, from which
// predictions are made.
//
// # Terms
//
// An example is what one task teaches one head: a vector and a target. A head is the model
// of one control, with its examples. A project holds the heads of one Label Studio project.
// A snapshot is an immutable copy of a project. A version is a name and the settings that
// the models are trained with. A selection is the settings of a head and the labels they
// were chosen from. A retrain chooses settings and builds the models from scratch.
//
// # Life of a label
//
// Apply is given the batch of one project. The store plans what changes (a delta), each head
// learns the tasks of the delta, the models are optimized for a few milliseconds, and a
// snapshot is published. One transaction then stores the delta, the versions, a checkpoint
// and the position in the log. The background goes on optimizing until the models are at
// their optimum, and stores them again. When more labels have come than the settings were
// chosen from, a selection run chooses them anew beside the live model. Vectors of slow
// encoders arrive later: applyArrivals learns the tasks again with them.
//
// # What must hold
//
// A model is a function of the labels, the settings and the vectors that have arrived. The
// order of labels, restarts and retrains do not matter. A retrain uses nothing of the live
// model. What could not be stored is not forgotten: either the next batch says it again, or
// the project is loaded from the store.
//
// # Locks
//
// Each project has a lane with a lock, which is held while its project is changed, also over
// the store and the encoding of texts. No goroutine holds the locks of two lanes. The lock
// of the Learner guards the list of lanes only. Readers (Predict, Extend, Estimates, Status)
// take no lock: they read snapshots. See lane for the order of locks.
package learner
