package wire_test

import (
	"fmt"
	"time"

	"github.com/hone-ml/hone/labelstudio/wire"
)

func ExampleDecodeHook() {
	body := `{"action":"ANNOTATION_CREATED","project":{"id":5},"task":{"id":7,"data":{"text":"x"}},"annotation":{"id":9,"task":7,"result":[]}}`
	h, err := wire.DecodeHook([]byte(body), time.Now())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(h.Action, h.Project, len(h.Changed.Tasks), h.Changed.Annotations[0].ID)
	_, err = wire.DecodeHook([]byte(`{"action":"TASKS_DELETED","project":{"id":5},"tasks":[{}]}`), time.Now())
	fmt.Println(err)
	// Output:
	// ANNOTATION_CREATED 5 1 9
	// the body's field tasks[0].id is missing or not a positive number
}
