// Package encode turns what is in tasks into vectors. An encoding is a value with several
// parts side by side, each a kernel of its own; a model adds the kernels with weights, so
// parts can be added without changing what is there.
//
// An Encoder is fast and makes its vectors at once. A BatchEncoder takes time or may
// be down: encode/backfill has its vectors made in the background. The encoders themselves are in
// the folders below, one each, and encode/encoders opens them by the names of the
// configuration.
package encode
