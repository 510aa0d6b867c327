// Package vector holds what an encoder makes of a task: sparse hashed terms and dense
// parts side by side, of the whole or of each token. A model adds the parts' kernels
// with weights, so that parts can be added without changing what is there.
//
// Vectors have two shorter forms. Compact is for examples in memory; Pack and PackTokens
// are for dense parts on disk. The package imports nothing of hone's.
package vector
