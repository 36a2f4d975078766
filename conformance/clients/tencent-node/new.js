'use strict';
// tencentcloud-sdk-nodejs 4.x; mode is the signature method and the HTTP method.
const { Client } = require('tencentcloud-sdk-nodejs').redis.v20180412;
const { serve } = require('../node/protocol');

function connect(request) {
  const [signMethod, reqMethod] = request.mode.split(' ');
  return new Client({
    credential: { secretId: request.access_key, secretKey: request.secret_key },
    region: 'ap-guangzhou',
    profile: {
      signMethod,
      httpProfile: {
        protocol: `${request.protocol}://`,
        endpoint: request.endpoint,
        reqMethod,
      },
    },
  });
}

const call = (client, action, params) => client[action](params);

serve(connect, call, (error) => ({
  type: error.constructor.name,
  code: error.code,
  status: null,
  message: error.message,
}));
