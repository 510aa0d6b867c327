// Package wire reads the bodies that Label Studio sends, of webhooks and of the
// ML-backend protocol, and writes the answers. What it reads was written by somebody
// else: every function returns an error where the bytes are wrong and none panics.
package wire

import "github.com/hone-ml/hone/internal/jsonscan"

// BodyError says what is wrong with a request body, without quoting it: bodies carry
// passwords and tokens.
type BodyError = jsonscan.Error
