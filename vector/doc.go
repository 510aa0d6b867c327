// Package vector defines the vectors that encoders return: sparse hashed terms and dense parts
// side by side, of a whole text or of each token. A model adds the kernels of the parts with
// weights, so a part can be added without changing the others.
//
// There are two shorter forms. Compact is for examples in memory. Pack and PackTokens are for
// dense parts on disk. The package imports nothing of hone.
package vector
