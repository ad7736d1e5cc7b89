// One verb of the S3 client for JavaScript: `node client.mjs '{"verb": …}'`.
// Endpoint, region and credentials come from the environment, as everywhere.
import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  S3Client,
  paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const { verb, bucket, key, to, path, prefix, range } = JSON.parse(process.argv[2]);
const client = new S3Client({ forcePathStyle: true, maxAttempts: 1 });
const object = { Bucket: bucket, Key: key };
const say = (value) => process.stdout.write(JSON.stringify(value));

const verbs = {
  upload: () => new Upload({ client, params: { ...object, Body: createReadStream(path) } }).done(),
  download: async () =>
    pipeline((await client.send(new GetObjectCommand(object))).Body, createWriteStream(path)),
  range: async () =>
    pipeline((await client.send(new GetObjectCommand({ ...object, Range: range }))).Body, createWriteStream(path)),
  list: async () => {
    const keys = [];
    for await (const page of paginateListObjectsV2({ client, pageSize: 5 }, { Bucket: bucket, Prefix: prefix })) {
      keys.push(...(page.Contents ?? []).map((found) => found.Key));
    }
    say(keys);
  },
  // CopySource is a URL's path: the caller encodes it.
  copy: () =>
    client.send(
      new CopyObjectCommand({
        Bucket: bucket,
        Key: to,
        CopySource: `${bucket}/${key.split("/").map(encodeURIComponent).join("/")}`,
      }),
    ),
  delete: () => client.send(new DeleteObjectCommand(object)),
  presign: async () => say(await getSignedUrl(client, new GetObjectCommand(object), { expiresIn: 3600 })),
};

await verbs[verb]();
