// The types of the scalars, which graphql-codegen cannot know: what stands in JSON, and nothing that would lose a digit.
import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  schema: '../../../schema.graphql',
  documents: 'src/**/*.ts',
  ignoreNoDocuments: true,
  generates: {
    'src/gql/': {
      preset: 'client',
      // Types are read by name here; masked fragments are for components (see the client in ../relay for those).
      presetConfig: { fragmentMasking: false },
      config: {
        useTypeImports: true,
        enumsAsTypes: true,
        // A field of a new scalar shall not become `any` unseen.
        strictScalars: true,
        scalars: {
          // Exact, as text: "4500.00" and "450000". Compute with BigInt(minorUnits), never with Number(amount).
          Decimal: 'string',
          BigInt: 'string',
          // RFC 3339 in UTC with up to microseconds, which `Date` would cut; and a day `YYYY-MM-DD` in the business's time zone.
          DateTime: 'string',
          Date: 'string',
          // ISO 4217, ISO 3166-1 alpha-2, IANA.
          CurrencyCode: 'string',
          CountryCode: 'string',
          TimeZone: 'string',
          EmailAddress: 'string',
          URL: 'string',
          JSON: 'unknown',
          // Sent by the multipart request specification (see the client in ../apollo).
          Upload: 'Blob',
        },
      },
    },
  },
};

export default config;
