// Package labelstudio is the foreign world: Label Studio's label configs,
// results, webhook bodies, ML-backend protocol and API, turned into hone's own
// nouns and back. Whatever it reads was written by somebody else: every
// function returns an error where the bytes are wrong and none panics.
package labelstudio
