// The types of the scalars, as in ../urql, where each is explained.
import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  schema: '../../../schema.graphql',
  documents: 'src/**/*.ts',
  ignoreNoDocuments: true,
  generates: {
    'src/gql/': {
      preset: 'client',
      // Writes persisted-documents.json too: a server that has it as one of EVOLVE_TRUSTED_DOCUMENTS runs each by its id (`documentId`).
      presetConfig: { fragmentMasking: false, persistedDocuments: true },
      config: {
        useTypeImports: true,
        enumsAsTypes: true,
        strictScalars: true,
        scalars: {
          Decimal: 'string',
          BigInt: 'string',
          DateTime: 'string',
          Date: 'string',
          CurrencyCode: 'string',
          CountryCode: 'string',
          TimeZone: 'string',
          EmailAddress: 'string',
          URL: 'string',
          JSON: 'unknown',
          // What stands in the place of a file; apollo-upload-client takes it out of the variables and sends it as a part of its own.
          Upload: 'Blob',
        },
      },
    },
  },
};

export default config;
