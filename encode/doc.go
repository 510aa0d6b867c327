// Package encode turns what is in tasks into vectors. A vector has several parts side by side,
// each with a kernel of its own. A model adds the kernels with weights, so a part can be added
// without changing the others.
//
// An Encoder is fast and returns its vector at once. A BatchEncoder takes time and may be down:
// encode/backfill has its vectors computed in the background. Each encoder has a folder of its
// own below this one. Package encode/encoders opens encoders by the names in the
// configuration.
package encode
