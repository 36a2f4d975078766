'use strict';
// @alicloud/pop-core: RPC V1; mode "GET" puts everything in the query, "POST" in the form body.
const { RPCClient } = require('@alicloud/pop-core');
const { serve } = require('./protocol');

function connect(request) {
  const client = new RPCClient({
    endpoint: `${request.protocol}://${request.endpoint}`,
    apiVersion: '2015-01-01',
    accessKeyId: request.access_key,
    accessKeySecret: request.secret_key,
  });
  client.conformanceMethod = request.mode;
  return client;
}

const call = (client, action, params) =>
  client.request(action, params, { method: client.conformanceMethod });

serve(connect, call, (error) => ({
  type: error.name,
  code: error.code,
  status: (error.entry && error.entry.response && error.entry.response.statusCode) || null,
  message: error.message,
}));
