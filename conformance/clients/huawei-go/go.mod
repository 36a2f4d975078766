module claviger.invalid/conformance/huawei-go

go 1.23

require github.com/huaweicloud/huaweicloud-sdk-go-v3 v0.1.207
