// The Go SDK's typed calls, driven by the line protocol of ../protocol.py.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"

	"github.com/volcengine/volcengine-go-sdk/service/redis"
	"github.com/volcengine/volcengine-go-sdk/volcengine"
	"github.com/volcengine/volcengine-go-sdk/volcengine/credentials"
	"github.com/volcengine/volcengine-go-sdk/volcengine/session"
	"github.com/volcengine/volcengine-go-sdk/volcengine/volcengineerr"
)

type request struct {
	Op        string          `json:"op"`
	Endpoint  string          `json:"endpoint"`
	Protocol  string          `json:"protocol"`
	AccessKey string          `json:"access_key"`
	SecretKey string          `json:"secret_key"`
	Action    string          `json:"action"`
	Params    json.RawMessage `json:"params"`
}

type answer struct {
	OK      bool   `json:"ok"`
	Body    any    `json:"body,omitempty"`
	Type    string `json:"type,omitempty"`
	Code    string `json:"code"`
	Status  int    `json:"status"`
	Message string `json:"message,omitempty"`
}

func connect(r request) (*redis.REDIS, error) {
	config := volcengine.NewConfig().
		WithRegion("cn-beijing").
		WithCredentials(credentials.NewStaticCredentials(r.AccessKey, r.SecretKey, "")).
		WithEndpoint(r.Endpoint).
		WithDisableSSL(r.Protocol == "http")
	sess, err := session.NewSession(config)
	if err != nil {
		return nil, err
	}
	return redis.New(sess), nil
}

// call fills the typed request by its members' names and calls the client's typed method.
func call(client *redis.REDIS, r request) (any, error) {
	method := reflect.ValueOf(client).MethodByName(r.Action)
	if !method.IsValid() {
		return nil, fmt.Errorf("the SDK has no %s", r.Action)
	}
	input := reflect.New(method.Type().In(0).Elem())
	if err := json.Unmarshal(r.Params, input.Interface()); err != nil {
		return nil, err
	}
	out := method.Call([]reflect.Value{input})
	if err, failed := out[1].Interface().(error); failed && err != nil {
		return nil, err
	}
	return out[0].Interface(), nil
}

func refusal(err error) answer {
	out := answer{Type: fmt.Sprintf("%T", err), Message: err.Error()}
	var refused volcengineerr.RequestFailure
	if errors.As(err, &refused) {
		out.Type, out.Code, out.Status = "RequestFailure", refused.Code(), refused.StatusCode()
	}
	return out
}

func main() {
	in := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	var client *redis.REDIS
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var r request
		reply := answer{OK: true}
		if err = json.Unmarshal(line, &r); err == nil {
			if r.Op == "connect" {
				client, err = connect(r)
			} else {
				reply.Body, err = call(client, r)
			}
		}
		if err != nil {
			reply = refusal(err)
		}
		if out.Encode(reply) != nil {
			return
		}
	}
}
