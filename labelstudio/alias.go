package labelstudio

import (
	"github.com/hone-ml/hone/internal/jsonscan"
	"github.com/hone-ml/hone/internal/secret"
)

// Secret is a token that formatting and encoding do not give away.
type Secret = secret.Secret

// BodyError says what is wrong with a request body, without quoting it.
type BodyError = jsonscan.Error
