// What tests over several packages ask of the parsers.
export { callConstraintFor, toolParserFor } from './parser.js'
