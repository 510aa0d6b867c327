package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/event"
)

// benchSecret is sent with every request, as Label Studio does where the pasted
// address holds it.
const benchSecret = "bench"

var authorizationLine = "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(access.User+":"+benchSecret)) + "\r\n"

// connection is one open connection of a client in place of Label Studio. The clients share
// the core with hone, so they do next to nothing: they write prepared bytes and read the
// status.
type connection struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
}

func (h *instance) dial(ctx context.Context) (*connection, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", h.addr)
	if err != nil {
		return nil, err
	}
	return &connection{conn: conn, in: bufio.NewReader(conn)}, nil
}

// post sends a body and waits for the answer, which must be a 200.
func (s *connection) post(path string, body []byte) error {
	s.out = append(s.out[:0], "POST "+path+" HTTP/1.1\r\nHost: hone\r\nUser-Agent: python-requests/2.34.2\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\n"+
		authorizationLine+"Connection: keep-alive\r\nContent-Type: application/json\r\nContent-Length: "...)
	s.out = append(strconv.AppendInt(s.out, int64(len(body)), 10), "\r\n\r\n"...)
	s.out = append(s.out, body...)
	if _, err := s.conn.Write(s.out); err != nil {
		return err
	}
	line, err := s.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("%s was answered with %q", path, bytes.TrimSpace(line))
	}
	length := 0
	for {
		line, err := s.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return err
			}
		}
	}
	_, err = s.in.Discard(length)
	return err
}

// dialAll opens n connections and returns a function that closes them.
func (h *instance) dialAll(ctx context.Context, n int) (out []*connection, hangUp func(), err error) {
	hangUp = func() {
		for _, s := range out {
			_ = s.conn.Close()
		}
	}
	for range n {
		s, err := h.dial(ctx)
		if err != nil {
			hangUp()
			return nil, nil, err
		}
		out = append(out, s)
	}
	return out, hangUp, nil
}

// measurePredictRequests asks /predict for one task at a time.
func (h *instance) measurePredictRequests(ctx context.Context) error {
	one, hangUp, err := h.dialAll(ctx, 1)
	if err != nil {
		return err
	}
	defer hangUp()
	bodies := make([][]byte, unitsPerClockRead)
	i := 0
	h.result.PredictRequestsPerS, h.result.PredictRequestsPerCPUS, err = h.measureRate(ctx, func() {
		for b := range bodies {
			if i%len(h.items) == 0 {
				h.round++
			}
			bodies[b] = h.predictBody(i%len(h.items), h.round)
			i++
		}
	}, func() (int, error) {
		for _, b := range bodies {
			if err := one[0].post("/predict", b); err != nil {
				return 0, err
			}
		}
		return len(bodies), nil
	})
	return err
}

// measureWebhooks sends annotations over n connections at once. Each annotation is new, as
// hone drops duplicates.
func (h *instance) measureWebhooks(ctx context.Context, n int) error {
	all, hangUp, err := h.dialAll(ctx, n)
	if err != nil {
		return err
	}
	defer hangUp()
	h.round++
	bodies := make([][]byte, n*unitsPerClockRead)
	acks := make([]time.Duration, 0, 1<<14)
	took := make([]time.Duration, len(bodies))
	i := 0
	perS, _, err := h.measureRate(ctx, func() {
		for b := range bodies {
			bodies[b] = h.webhookBody(i%len(h.items), h.round+i/len(h.items))
			i++
		}
	}, func() (int, error) {
		errs := make([]error, n)
		var wg sync.WaitGroup
		for s := range all {
			wg.Go(func() {
				for b := s; b < len(bodies) && errs[s] == nil; b += n {
					began := time.Now()
					errs[s] = all[s].post("/webhook", bodies[b])
					took[b] = time.Since(began)
				}
			})
		}
		wg.Wait()
		for _, err := range errs {
			if err != nil {
				return 0, err
			}
		}
		acks = append(acks, took...)
		return len(bodies), nil
	})
	if err != nil {
		return err
	}
	h.round += i / len(h.items)
	slices.Sort(acks)
	p99 := milliseconds(acks[len(acks)*99/100])
	if n == 1 {
		h.result.WebhooksPerS, h.result.AckP99Ms = perS, p99
	} else {
		h.result.Webhooks64PerS, h.result.Ack64P99Ms = perS, p99
	}
	return nil
}

// jsonObject is a JSON object.
type jsonObject map[string]any

// webhookBody returns the body that Label Studio sends for a new annotation. It includes the
// fields that hone does not use, as hone has to skip them.
func (h *instance) webhookBody(i, round int) []byte {
	a := h.annotation(i, round, time.Now())
	at := a.At.UTC().Format(time.RFC3339Nano)
	none := json.RawMessage("null")
	return mustMarshal(jsonObject{
		"action": "ANNOTATION_CREATED",
		"annotation": jsonObject{
			"id": a.Annotations[0].ID, "result": a.Annotations[0].Result, "was_cancelled": false, "ground_truth": false,
			"created_at": at, "updated_at": at, "draft_created_at": none, "lead_time": 3.5, "prediction": jsonObject{}, "result_count": 1,
			"unique_id": fmt.Sprintf("54f7ec00-61dc-417a-a2d2-%012x", a.Annotations[0].ID), "import_id": none, "last_action": none,
			"bulk_created": false, "task": a.Tasks[0].ID, "project": projectID, "completed_by": 1, "updated_by": 1,
			"parent_prediction": none, "parent_annotation": none, "last_created_by": none,
		},
		"project": jsonObject{
			"id": projectID, "task_number": len(h.items), "finished_task_number": i, "total_predictions_number": 0,
			"total_annotations_number": i, "title": "bench", "description": "", "label_config": h.config,
			"label_config_hash": 3778444861112925534, "expert_instruction": "", "show_instruction": false, "show_skip_button": true,
			"enable_empty_annotation": true, "color": "#FFFFFF", "maximum_annotations": 1, "min_annotations_to_start_training": 0,
			"model_version": "hone-1", "data_types": jsonObject{"text": "Text"}, "is_draft": false, "is_published": false,
			"created_at": "2026-11-23T20:50:32.437007Z", "updated_at": at, "sampling": "Uncertainty sampling",
			"skip_queue": "REQUEUE_FOR_OTHERS", "organization": 1, "created_by": 1,
		},
		"task": jsonObject{
			"id": a.Tasks[0].ID, "data": a.Tasks[0].Data, "meta": jsonObject{}, "created_at": at, "updated_at": at,
			"is_labeled": true, "allow_skip": true, "overlap": 1, "inner_id": i, "total_annotations": 1, "cancelled_annotations": 0,
			"total_predictions": 0, "comment_count": 0, "unresolved_comment_count": 0, "last_comment_updated_at": none,
			"project": projectID, "updated_by": 1, "file_upload": none, "comment_authors": []int{},
		},
	})
}

// predictBody returns the body of Label Studio's request when it shows a task.
func (h *instance) predictBody(i, round int) []byte {
	none := json.RawMessage("null")
	at := "2026-11-23T20:50:32.838423Z"
	return mustMarshal(jsonObject{
		"tasks": []jsonObject{{
			"id": event.TaskID(i + 1), "data": json.RawMessage(h.data(i, round)), "meta": jsonObject{}, "created_at": at, "updated_at": at,
			"is_labeled": false, "overlap": 1, "inner_id": i, "total_annotations": 0, "cancelled_annotations": 0, "total_predictions": 0,
			"comment_count": 0, "unresolved_comment_count": 0, "last_comment_updated_at": none, "project": projectID, "updated_by": none,
			"file_upload": none, "comment_authors": []int{}, "annotations": []int{}, "predictions": []int{},
		}},
		"project": fmt.Sprintf("%d.1795467032", projectID), "label_config": h.config,
		"params": jsonObject{"login": none, "password": none, "context": none},
	})
}

func mustMarshal(o jsonObject) []byte {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // numbers, texts, and JSON that was read before
	}
	return b
}
