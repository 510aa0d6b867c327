package labelconfig_test

import (
	"fmt"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

const config = `<View>
  <Text name="review" value="$text"/>
  <Choices name="mood" toName="review"><Choice value="Positive" alias="pos"/><Choice value="Negative" alias="neg"/></Choices>
</View>`

func ExampleParse() {
	c, err := labelconfig.Parse(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, control := range c.Controls {
		fmt.Println(control.Name, control.LabelNames())
		for _, name := range control.ToName {
			object, _ := c.Object(name)
			fmt.Println(object.Name, object.Value)
		}
	}
	// Output:
	// mood [Positive Negative]
	// review $text
}
