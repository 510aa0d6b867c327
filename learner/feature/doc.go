// Package feature turns text into vectors. An encoding is a value with several
// parts side by side, each a kernel of its own; a model adds the kernels with
// weights, so parts can be added without changing what is there.
package feature
