// What a Node function does before its first event: import, build the client, ask for work.
import http from "node:http";
import { S3Client } from "@aws-sdk/client-s3";
import sharp from "sharp";

const client = new S3Client({ region: "us-east-1" });
if (!client || !sharp) throw new Error("unreachable");
http.get(`http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/next`, (answer) => {
  answer.resume();
  answer.on("end", () => process.exit(0));
});
