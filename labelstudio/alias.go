package labelstudio

import (
	"github.com/hone-ml/hone/internal/jsonscan"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/passage"
)

// Secret is a token that formatting and encoding do not give away.
type Secret = secret.Secret

// BodyError says what is wrong with a request body, without quoting it.
type BodyError = jsonscan.Error

// Passage is an object's text as spans are marked in it. It is immutable.
type Passage = passage.Passage

// Object is an object tag of a label config.
type Object = labelconfig.Object

// Label is one of a control's labels.
type Label = labelconfig.Label
