// Package simulate replays labelled data through the learner and the sampler as
// serve runs them, with an annotator who answers from the known labels, and
// measures what was learned on other data.
package simulate
