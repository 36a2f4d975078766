'use strict';
// @huaweicloud/huaweicloud-sdk-core. The package of DCS itself is not published, so its calls
// stand here, as the vendor's repository has them; mode "region" looks the project up in IAM.
const { BasicCredentials } = require('@huaweicloud/huaweicloud-sdk-core/auth/BasicCredentials');
const { ClientBuilder } = require('@huaweicloud/huaweicloud-sdk-core/ClientBuilder');
const { Region } = require('@huaweicloud/huaweicloud-sdk-core/region/region');
const log4js = require('log4js');
const { serve } = require('../node/protocol');

// The core logs errors to standard output, which is the harness's here.
log4js.configure({
  appenders: { console: { type: 'stderr' } },
  categories: { default: { appenders: ['console'], level: 'error' } },
});

const INSTANCE = '/v2/{project_id}/instances/{instance_id}';
const ACCOUNT = `${INSTANCE}/accounts/{account_id}`;
const CALLS = {
  ListAclAccounts: ['GET', `${INSTANCE}/accounts`],
  CreateAclAccount: ['POST', `${INSTANCE}/accounts`],
  DeleteAclAccount: ['DELETE', ACCOUNT],
  UpdateAclAccount: ['PUT', `${ACCOUNT}/role`],
  UpdateAclAccountPassWord: ['PUT', `${ACCOUNT}/password/modify`],
  ResetAclAccountPassWord: ['PUT', `${ACCOUNT}/password/reset`],
  UpdateAclAccountRemark: ['PUT', ACCOUNT],
  ListBackgroundTask: ['GET', `${INSTANCE}/tasks`, 'offset', 'limit', 'start_time', 'end_time'],
  DeleteBackgroundTask: ['DELETE', `${INSTANCE}/tasks/{task_id}`],
  ShowBackgroundTaskProgress: ['GET', `${INSTANCE}/tasks/{task_id}/progress`],
  ListCenterTask: ['GET', '/v2/{project_id}/tasks', 'offset', 'limit'],
  ShowJobInfo: ['GET', '/v2/{project_id}/jobs/{job_id}'],
  ListInstances: ['GET', '/v2/{project_id}/instances', 'name', 'name_equal', 'status', 'ip',
    'offset', 'limit'],
  ShowInstance: ['GET', INSTANCE],
  UpdatePassword: ['PUT', `${INSTANCE}/password`],
  ResetPassword: ['POST', `${INSTANCE}/password/reset`],
};

function connect(request) {
  const url = `${request.protocol}://${request.endpoint}`;
  const credential = new BasicCredentials().withAk(request.access_key)
    .withSk(request.secret_key);
  let builder = new ClientBuilder((client) => client).withOptions({
    axiosRequestConfig: { proxy: false },
  });
  if (request.mode === 'region') {
    credential.withIamEndpoint(url);
    builder = builder.withRegion(new Region('cn-north-4', url));
  } else {
    credential.withProjectId(request.project_id);
    builder = builder.withEndpoint(url);
  }
  return builder.withCredential(credential).build();
}

async function call(client, action, params) {
  const [method, url, ...query] = CALLS[action];
  const options = {
    method, url, pathParams: {}, queryParams: {}, headers: {}, data: {},
    contentType: 'application/json',
  };
  for (const [name, value] of Object.entries(params)) {
    if (url.includes(`{${name}}`)) options.pathParams[name] = value;
    else if (query.includes(name)) options.queryParams[name] = value;
    else options.data[name] = value;
  }
  const { httpStatusCode, ...body } = await client.sendRequest(options);
  return { status: httpStatusCode, body };
}

serve(connect, call, (error) => ({
  type: error.constructor.name,
  code: error.errorCode,
  status: error.httpStatusCode || null,
  message: error.errorMsg || error.message,
}));
