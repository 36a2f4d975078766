// The new Go SDK (ACS3), driven by the line protocol of ../protocol.py.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"

	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	kv "github.com/alibabacloud-go/r-kvstore-20150101/v7/client"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/alibabacloud-go/tea/tea"
)

type request struct {
	Op        string         `json:"op"`
	Endpoint  string         `json:"endpoint"`
	Protocol  string         `json:"protocol"`
	AccessKey string         `json:"access_key"`
	SecretKey string         `json:"secret_key"`
	Action    string         `json:"action"`
	Params    map[string]any `json:"params"`
}

type answer struct {
	OK      bool   `json:"ok"`
	Body    any    `json:"body,omitempty"`
	Type    string `json:"type,omitempty"`
	Code    string `json:"code"`
	Status  int    `json:"status"`
	Message string `json:"message,omitempty"`
}

func connect(r request) (*kv.Client, error) {
	return kv.NewClient(&openapiutil.Config{
		AccessKeyId:     &r.AccessKey,
		AccessKeySecret: &r.SecretKey,
		Endpoint:        &r.Endpoint,
		Protocol:        &r.Protocol,
		RegionId:        dara.String("cn-hangzhou"),
	})
}

var makers = map[string]func() any{
	"CreateAccount":            func() any { return new(kv.CreateAccountRequest) },
	"DeleteAccount":            func() any { return new(kv.DeleteAccountRequest) },
	"DescribeAccounts":         func() any { return new(kv.DescribeAccountsRequest) },
	"DescribeInstances":        func() any { return new(kv.DescribeInstancesRequest) },
	"GrantAccountPrivilege":    func() any { return new(kv.GrantAccountPrivilegeRequest) },
	"ModifyAccountDescription": func() any { return new(kv.ModifyAccountDescriptionRequest) },
	"ModifyAccountPassword":    func() any { return new(kv.ModifyAccountPasswordRequest) },
	"ResetAccountPassword":     func() any { return new(kv.ResetAccountPasswordRequest) },
}

// call fills the typed request by its members' wire names and calls the client's typed method.
func call(client *kv.Client, r request) (any, error) {
	maker, known := makers[r.Action]
	if !known {
		return nil, fmt.Errorf("no such action in this program: %s", r.Action)
	}
	typed := maker()
	if err := dara.Convert(r.Params, typed); err != nil {
		return nil, err
	}
	out := reflect.ValueOf(client).MethodByName(r.Action).Call(
		[]reflect.Value{reflect.ValueOf(typed)},
	)
	if err, failed := out[1].Interface().(error); failed && err != nil {
		return nil, err
	}
	return out[0].Elem().FieldByName("Body").Interface(), nil
}

func refusal(err error) answer {
	out := answer{Type: fmt.Sprintf("%T", err), Message: err.Error()}
	var refused *tea.SDKError
	if errors.As(err, &refused) {
		out.Type, out.Code = "SDKError", tea.StringValue(refused.Code)
		out.Status = tea.IntValue(refused.StatusCode)
	}
	return out
}

func main() {
	in := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	var client *kv.Client
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
