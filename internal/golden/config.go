package golden

import _ "embed"

// LabelConfig is a label config with every kind of control and of object.
//
//go:embed config.xml
var LabelConfig string
