package regions_test

import (
	"encoding/json"
	"fmt"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
)

const config = `<View>
  <Text name="review" value="$text"/>
  <Choices name="mood" toName="review"><Choice value="Positive" alias="pos"/><Choice value="Negative" alias="neg"/></Choices>
</View>`

func ExampleDecodeChoices() {
	c, err := labelconfig.Parse(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	mood := c.Controls[0]
	// Results carry aliases; hone speaks of labels by what annotators read.
	region := regions.EncodeChoices(mood, "r1", []string{"Negative"}, 0.9)
	fmt.Println(string(region.Value))
	result, err := json.Marshal([]regions.Region{region})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(regions.DecodeChoices(mood, result))
	// Output:
	// {"choices":["neg"]}
	// [Negative] true <nil>
}
